"""The page of a sweep: run directories in, one HTML file out that needs no network.

``gather`` makes the page's data of a sweep, ``render`` makes one file of the data and of ``assets/``, ``write`` puts it
beside the runs, with the static pictures of the main figures.
"""
