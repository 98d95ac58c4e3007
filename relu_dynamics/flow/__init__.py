"""Gradient flow: how the network moves, and its walls with it.

    decompose      the rates of gradient flow split exactly by layer, unit, pair, frequency and
                   place; a finite step split in two
    moving_walls   how fast walls move while the network learns; births and deaths of regions
    kinks          what gradient flow does where the loss has a kink
    trajectories   gradient flow through all its flips; the cases that can be solved exactly
"""
