"""Releases on the Hugging Face Hub: what is published, as which version, and how it is fetched."""
