"""One model in this process, for evaluation (`hf/NAME`) and for validation in training alike.

weights.py finds, quantises and loads; processor.py loads what makes tokens of text and pictures;
chat.py writes the prompt and knows where a turn ends; generate.py asks. Training adds LoRA, labels
and the trainer, and nothing that changes what a model is asked.

Importing any of it needs the core alone; loading needs the extra `hf`, which `train` holds too.
"""
