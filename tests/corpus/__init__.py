"""Inputs with what they deserve."""
