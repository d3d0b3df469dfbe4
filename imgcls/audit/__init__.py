"""What may be wrong with a data set: labels, duplicates, outliers. `imgcls.audit(...)` calls library/catalog.py."""
