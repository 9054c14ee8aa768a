"""Jinja templates of what people read: the data set card and the page of ``show``."""
