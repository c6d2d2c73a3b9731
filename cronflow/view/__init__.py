"""What a person sees: records in, text or rich renderables out. Reads no files, asks no clock."""
