"""Fine-tuning on the benchmark's own samples, prompts and pictures.

Configuration, selection and mixing need the core alone; whatever touches a model needs the extra
`train` and is imported only when training starts.
"""

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
"""What the extra `train` brings and every training needs."""
