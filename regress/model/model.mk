# The protocol by which sessions move, in larger configurations than "make test"
# takes: regress/model/README.md.  Takes half an hour.
.PHONY: check-model
check-model: deps-test
	regress/model/model.py
