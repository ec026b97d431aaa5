"""The config: what it may say, how it is read, changed and written.

fields, urls, names     kinds of values
provider, models        the sections and their keys
keys                    the models, asked about themselves
jsonc                   where every value stands in the text
environment             ${NAME}
problems, checks        what is wrong, in words
load                    text → Loaded | ConfigError
masks, edit             text ⇄ text without secrets
files                   the only module that writes
reference               the table in the README, the JSON schema
"""
