import asyncio

from nestbench.cluster.mailbox import Mailbox


def test_messages_are_heard_in_the_order_in_which_they_were_left():
    async def talk():
        box = Mailbox()
        for number in range(3):
            await box.tell(number, f"message {number}")
        return [await box.hear() for _ in range(3)]

    assert asyncio.run(talk()) == [(0, "message 0"), (1, "message 1"), (2, "message 2")]


def test_who_asks_waits_for_its_own_answer():
    async def talk():
        box = Mailbox()
        asked = [asyncio.create_task(box.ask(number, "?")) for number in range(2)]
        heard = [await box.hear() for _ in asked]
        await box.answer(1, True)
        await box.answer(0, False)
        return heard, [await one for one in asked]

    heard, answers = asyncio.run(talk())
    assert heard == [(0, "?"), (1, "?")]
    assert answers == [False, True]


def test_the_wish_to_stop_reaches_those_who_wait_and_those_who_come_later():
    async def talk():
        box = Mailbox()
        waiting = asyncio.create_task(box.stopped())
        await asyncio.sleep(0)
        assert not waiting.done()
        await box.stop()
        await waiting
        await box.stopped()

    asyncio.run(talk())
