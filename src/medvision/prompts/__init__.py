"""Samples to questions, replies to answers: pictures, prompt text, answer forms."""
