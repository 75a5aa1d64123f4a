"""Tables: cases, regions and biometrics as Parquet, with their splits and manifests."""
