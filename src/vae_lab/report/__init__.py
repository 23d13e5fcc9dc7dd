"""Reports: run directories in, tables and words out. Nothing here knows a model, or imports torch."""
