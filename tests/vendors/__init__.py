"""Vendors as strict as they are: what each refuses, how each answers, and real clients that move between them.

chat_refusals.py, …         what a vendor refuses in a body, in its own words: pure
chat_answers.py, …          how it answers, plain and streamed, with its oddities: pure
talk.py                     the tool loop that all clients go through, read from a body
stage.py                    all vendors of a dialect on one fake, behind one gateway
programs/                   SDKs and frameworks that know nothing of a gateway
clients.py                  which of them are installed, and how they are run
warm.py                     those of SDKs for Python, from a process that has imported the SDK
agents.py                   coding agents as their users start them
matrix.py                   every client from every vendor to every other and back
"""
