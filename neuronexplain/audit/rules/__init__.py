"""Whether a network keeps to rules on what its classes may and must lean on."""
