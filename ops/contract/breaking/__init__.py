"""Whether one version of the contract breaks what was written against an earlier one.

Two directions, which are each other's mirror: what clients *sent* must be accepted still, and what they *receive* must
fit what they were promised. `schemas` compares two JSON Schemas, `rest` two OpenAPI documents, `released` the files of
a checkout with those of a tag. The first two are pure.
"""
