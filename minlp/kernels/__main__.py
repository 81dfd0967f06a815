"""`python -m minlp.kernels`: compile every kernel of the package."""

from minlp.kernels import import_all, warm_up

import_all()
warm_up()
