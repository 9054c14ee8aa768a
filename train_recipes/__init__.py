"""Recipes that train vision-language models on data sets of robotmcqa."""
