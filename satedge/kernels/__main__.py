"""`python -m satedge.kernels`: compile every kernel."""

from satedge.kernels import import_all, warm_up

import_all()
warm_up()
