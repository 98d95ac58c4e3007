"""Gradient flow: how the network moves, and its walls with it.

    decompose      the rates of gradient flow split exactly by layer, unit, pair, frequency and
                   place; a finite step split in two
    moving_walls   how fast walls travel while the network learns; when regions are born and die
    kinks          what gradient flow does where the loss has a kink
    trajectories   gradient flow followed through its events; the cases that can be solved exactly
"""
