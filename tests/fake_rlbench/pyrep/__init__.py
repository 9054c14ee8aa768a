import os
import sys

__version__ = "4.1.0.3"

root = os.environ["COPPELIASIM_ROOT"]
if root not in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
    raise ImportError("libcoppeliaSim.so.1: cannot open shared object file")
if os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH") != root:
    print("qt.qpa.plugin: no Qt platform plugin could be initialized", file=sys.stderr)
    os.abort()
