"""`autorec benchmark`: reruns the thesis' tables, with other libraries and with made-up data."""
