"""The number of threads follows the measured rates of simulated machines; the clock is the test's own."""

from imgcls.training.threads import ThreadTuner, candidates


class Machine:
    """Steps of 64 images whose length depends on the number of threads, as a busy or a quiet machine makes it."""

    def __init__(self, seconds_a_step):
        self.now, self.threads, self.seconds = 0.0, 0, seconds_a_step

    def set_threads(self, count):
        self.threads = count

    def clock(self):
        return self.now

    def run(self, tuner, seconds):
        chosen, end = [], self.now + seconds
        while self.now < end:
            self.now += self.seconds[self.threads]
            rates = tuner.step(64)
            if rates:
                chosen.append((tuner.threads, rates))
        return chosen


def tuner_on(machine, cores=2, fixed=0):
    return ThreadTuner(fixed=fixed, set_threads=machine.set_threads, clock=machine.clock, cores=cores)


def test_candidates_are_few_and_bounded():
    assert candidates(1) == [1]
    assert candidates(2) == [1, 2]
    assert candidates(6) == [1, 2, 4, 6]
    assert candidates(128) == [1, 2, 4, 8, 16]


def test_the_faster_number_is_taken_and_its_rates_are_told():
    machine = Machine({1: 0.009, 2: 0.005})
    (threads, rates), *_ = machine.run(tuner_on(machine), 1)
    assert threads == machine.threads == 2
    assert rates[2] > rates[1] > 0


def test_a_busy_machine_gets_one_thread():
    machine = Machine({1: 0.009, 2: 0.2})
    assert machine.run(tuner_on(machine), 3)[0][0] == 1


def test_it_adapts_when_a_neighbour_comes_and_goes():
    machine = Machine({1: 0.009, 2: 0.005})
    tuner = tuner_on(machine)
    machine.run(tuner, 2)
    machine.seconds = {1: 0.010, 2: 0.150}
    machine.run(tuner, 3)
    assert tuner.threads == 1
    machine.seconds = {1: 0.009, 2: 0.005}
    machine.run(tuner, 60)
    assert tuner.threads == 2


def test_trying_costs_little():
    machine = Machine({1: 0.009, 2: 0.3})
    tuner = tuner_on(machine)
    machine.run(tuner, 2)
    slow = 0.0
    for _ in range(6000):
        slow += machine.seconds[2] if machine.threads == 2 else 0
        machine.now += machine.seconds[machine.threads]
        tuner.step(64)
    assert slow / machine.now < 0.1


def test_a_fixed_number_is_kept():
    machine = Machine({1: 0.009, 2: 0.005, 4: 0.001})
    tuner = tuner_on(machine, cores=4, fixed=1)
    assert machine.run(tuner, 60) == [] and machine.threads == 1


def test_epochs_of_a_few_steps_come_to_a_choice_too():
    machine = Machine({1: 0.7, 2: 0.4})
    tuner, chosen = tuner_on(machine), None
    for _ in range(6):
        tuner.skip()
        for _ in range(3):
            machine.now += machine.seconds[machine.threads]
            chosen = tuner.step(64) or chosen
        machine.now += 5  # validation and saving
    assert tuner.threads == machine.threads == 2 and chosen[2] > 64 / 0.45


def test_trying_costs_little_where_steps_take_long():
    machine = Machine({1: 0.7, 2: 0.4})
    tuner, slow = tuner_on(machine), 0.0
    for _ in range(1000):
        slow += machine.seconds[1] if machine.threads == 1 else 0
        machine.now += machine.seconds[machine.threads]
        tuner.step(64)
    assert slow / machine.now < 0.02
