"""From the text of a YAML file to resolved definitions, or to all that is wrong with it at once.

nodes          text -> YAML nodes with their places; nothing that recurses, loops or unfolds without end gets past
forms          how a value is written where YAML has no type for it: durations, sizes, days
shapes         the definitions of `spec` as readers of nodes
rules          what must hold between the values of a pipeline
trust          who may write a file that cronflow is to obey
pipeline_file  all of it together, for a pipeline file
config_file    the same for `config.yaml`
"""
