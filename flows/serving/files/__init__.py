"""Files of rows: their scores, their later labels, and ranked lists of their users."""
