"""The statistics of use, counted anew beside the process that counts, and put in place of those that are there."""
