"""JSON Schemas (2020-12) of everything that robotmcqa writes, one folder per version."""
