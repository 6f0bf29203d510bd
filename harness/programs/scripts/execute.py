"""Execute a notebook in a kernel of the Python that runs this, and print what it prints.

usage: execute.py NOTEBOOK
"""

import sys

import nbclient
import nbformat

notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, kernel_name="python3").execute()
for cell in notebook.cells:
    for output in cell.get("outputs", ()):
        if output.get("name") == "stdout":
            print(output.text, end="")
