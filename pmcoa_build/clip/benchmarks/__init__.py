"""The public benchmarks of arXiv 2303.07240, each read from the files as published.

    subject.py   the model that is scored: opened from any of its forms, and its features
    store.py     the seam (`Protocol`, `Score`), and the table of scores that a killed run goes on from
    table.py     scores beside the paper's, as Markdown; paper.py holds the paper's numbers
    answering.py answers by a head on the fusion module; questions.py and answers.py read and compare them
    catalogue.py which benchmarks there are: a new one is a module with `protocols`, and one line there
"""
