"""From the text of a YAML file to resolved definitions, or to all that is wrong with it at once.

trust          who may write a file that cronflow is to obey
source         a trusted file's text
nodes          text -> YAML nodes with their places; nothing that recurses, loops or unfolds without end gets past
syntax         what YAML's parser complains about, in plain words
forms          how a value is written where YAML has no type for it: durations, sizes, days
shapes         the definitions of `spec` as readers of nodes
rules          what must hold between the values of a pipeline
later          keys whose behaviour is not there yet
pipeline_file  all of it together, for a pipeline file
config_file    the same for `config.yaml`
cache          what files were read to, kept between commands
directory      all files of a pipelines directory, by way of the cache
"""
