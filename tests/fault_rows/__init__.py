"""The rows of the table of faults, by kind; ``faults.py`` joins them."""
