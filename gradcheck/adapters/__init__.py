"""Built-in adapters: one file a library, which only `gradcheck certify LIBRARY` imports."""
