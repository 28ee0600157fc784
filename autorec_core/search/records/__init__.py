"""Records of trials: what they hold, the folder that keeps them, and the tables for people."""
