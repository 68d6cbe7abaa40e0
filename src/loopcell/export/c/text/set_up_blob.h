/* Set up the model from the bytes of {name}.weights; once, before all else. The bytes are used where they lie, at an
 * address that 4 divides, and have to stay: a part of the flash, a file that was read or mapped. {NAME}_BAD_WEIGHTS: they
 * are of another model or form, damaged or cut, or numbers have another order of bytes on this machine. */
#define {NAME}_WEIGHT_BYTES {bytes}
int {name}_load({name}_model *model, const void *weights, size_t bytes);
