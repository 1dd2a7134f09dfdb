"""What kvlab measures of itself: ratios in one run, never asserted by a test."""
