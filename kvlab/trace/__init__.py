"""What happened: events, recordings of them, and the model of a cluster that they build."""
