from dlrun.seeds import child_seed


def test_children_of_one_root_differ_and_stay():
    names = [("data",), ("split",), ("shuffle", 0), ("shuffle", 1), ("fold", 0), ("trial", 0)]
    seeds = [child_seed(1, *name) for name in names]
    assert len(set(seeds)) == len(seeds)
    assert seeds == [child_seed(1, *name) for name in names]
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_a_seed_is_the_same_in_every_version():
    assert child_seed(1, "split") == int.from_bytes(bytes.fromhex("ae9123e1"), "big") >> 1
