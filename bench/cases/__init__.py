"""What is measured of each filter; the file is named like the filter."""
