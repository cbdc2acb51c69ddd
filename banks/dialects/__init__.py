"""What several banks speak, one module a standard. Found by the entry points `banks.connectors`."""
