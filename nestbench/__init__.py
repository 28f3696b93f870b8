"""nestbench: a laboratory for nested U-Nets (U-Net, wide U-Net, U-Net^e, UNet+ and UNet++)."""

__version__ = "0.1.0"
