/* Set up the model; once, before all else. */
int {name}_init({name}_model *model);
