"""`autorec benchmark`: the thesis' tables rerun, beside other libraries and a known truth."""
