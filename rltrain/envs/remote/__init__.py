"""Environments that are played in other processes, on this machine or on others, for one learner that decides for all.

    Remote    `core.Env`: cuts actions into parts, joins what the parts say; merges and cuts states (`division`)
      Share    some of the environments, and the calls from which they can be made again anywhere (`share`)
        Crew  players by number: a contract of few words (`crew`); on Ray: `on_ray`
          Player  holds environments and does what it is called to (`player`)
    Asynchronous  `core.Env` too, but its players decide, by copies of the learner's network (`apart`)
      Lanes   the environments of one player (`lanes`)

The seeds of a game depend on its number among all, so what is played does not depend on how many play it.
"""
