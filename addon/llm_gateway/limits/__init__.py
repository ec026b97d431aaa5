"""Limits: who may send how much, and what the providers say about it.

    engine     Limiter: reserve, settle, release, over all windows in one step
    book       what the limiter keeps; replay: how the ledger fills it
    plans      the limits of one attempt, weighed together; reasons: what a no says
    windows    one window's arithmetic: rolling, or by a provider's calendar
    boundaries when a calendar window ends, in any zone
    heard      the provider's own word, laid over a window
    values     what goes in and out
    words      response headers   -> Word
    refusals   429, 413, 402, 403 -> what kind of no, and until when
               (said finds the numbers in their texts, reset_times the moments)
    durations  every spelling of "when" that providers use
    estimate   tokens before they are known

Everything here is pure: time is an argument, numbers are integers, nothing waits.
"""
