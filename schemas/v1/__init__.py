"""Version 1: item, scene, manifest, provenance, failure."""
