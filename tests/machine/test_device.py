from nestbench.machine import Plan, device_name, environment


def test_the_environment_names_processor_and_versions():
    found = environment(Plan("cpu", "float32", "contiguous", 1))
    assert found["device"] == device_name("cpu") != ""
    assert {"nestbench", "torch", "timm", "optuna", "numpy", "python", "cores", "platform"} <= set(found)
    assert all(found.values())
