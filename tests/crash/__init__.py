"""What the crash tests stand on: a driver that kills at a chosen moment, and what must be so afterwards."""

import pytest

pytest.register_assert_rewrite("tests.crash.storm")
