"""A Hub for the tests: a real HTTP server on localhost for the real, unmodified clients.

``fixture`` starts and stops it; ``faults`` breaks it on purpose and logs what went over the wire;
``accounts`` and ``storage`` hold its state; ``api``, ``commits``, ``resolve``, ``lfs``, ``cas`` and
``card`` answer the requests that huggingface_hub, hf_xet and datasets send.
"""
