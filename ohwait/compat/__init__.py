"""Other packages' names, over ohwait's own: one module a package."""
