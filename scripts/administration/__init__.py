"""Administration of versions through a gateway: the operations of ``segserve versions``."""
