"""One question a file; a file in this folder is an experiment (its name: a letter, a number,
words).

An experiment is a module whose docstring is a question, the command, and how it is answered, with

    TITLE, SOURCE, SHOWS           what it is about, where it is from, what the picture shows
    runs(settings)                 the training runs it needs (they are shared), in any order
    measure(settings, folder)      everything it plots, as named arrays, from their checkpoints
    claims(data)                   the rows of the ledger, from those arrays alone
    draw(data)                     a matplotlib Figure, from those arrays alone
"""
