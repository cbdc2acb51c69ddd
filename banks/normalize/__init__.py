"""From a bank's words to ours. Pure: values in, values out."""
